from chalice import Chalice, Response

app = Chalice(app_name="payloads")
app.api.binary_types = ["image/png", "application/x-protobuf"]


@app.route("/keys", api_key_required=True)
def keys():
    return {}


@app.route("/forms", methods=["POST"], content_types=["application/x-www-form-urlencoded", "application/json"])
def forms():
    return {}


@app.route("/images", methods=["PUT", "PATCH"], content_types=["image/png"])
def images():
    return Response(body=b"", headers={"Content-Type": "image/png"})


@app.route("/rooms/{room}/guests/{guest}", methods=["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"])
def guest(room, guest):
    return {}
