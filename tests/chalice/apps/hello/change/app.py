from chalice import Chalice

app = Chalice(app_name="hello")


@app.route("/")
def index():
    """Greets.

    In two paragraphs.
    """
    return {"hello": "again"}


@app.route("/guests/{guest}", methods=["GET", "PUT", "DELETE"])
def one(guest):
    """Shows a guest."""
    return {"guest": guest}
