from chalice import Chalice, Response

app = Chalice(app_name="payloads")
app.api.binary_types.append("application/x-protobuf")


@app.route("/keys")
def keys():
    return {}


@app.route("/forms", methods=["POST"], content_types=["application/json"], api_key_required=True)
def forms():
    return {}


@app.route("/images", methods=["PUT"], content_types=["image/png", "image/jpeg"])
def images():
    return Response(body=b"", headers={"Content-Type": "image/png"})


@app.route("/rooms/{room}/guests/{person}", methods=["GET"])
def guest(room, person):
    return {}
