"""A small guest book: three routes of one Lambda function."""

from chalice import BadRequestError, Chalice, NotFoundError

app = Chalice(app_name="{{name}}")

GUESTS = {"ada": "Ada Lovelace", "alan": "Alan Turing"}


@app.route("/")
def index():
    """Says that the app is there."""
    return {"app": "{{name}}", "guests": len(GUESTS)}


@app.route("/guests/{name}")
def guest(name):
    """Tells who a guest is."""
    if name not in GUESTS:
        raise NotFoundError(f"nobody called {name!r} has signed")
    return {"name": name, "full_name": GUESTS[name]}


@app.route("/greetings", methods=["POST"], cors=True)
def greet():
    """Greets whom the request names: {"name": "ada"}."""
    body = app.current_request.json_body or {}
    if "name" not in body:
        raise BadRequestError("the body needs a name")
    return {"greeting": f"Hello, {GUESTS.get(body['name'], body['name'])}!"}
