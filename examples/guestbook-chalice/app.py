"""A guestbook: every route option of Chalice, in one small app."""

import os

from chalice import AuthResponse, Chalice, CORSConfig, NotFoundError, Response
from chalicelib.guests import GUESTS

app = Chalice(app_name="guestbook")

GREETING = "Welcome"
BROWSERS = CORSConfig(allow_origin="https://guests.example.com", allow_headers=["X-Guest"], max_age=600)


@app.authorizer()
def doorkeeper(request):
    """Lets in whoever knows the word."""
    routes = ["*"] if request.token == "open sesame" else []
    return AuthResponse(routes=routes, principal_id="guest")


@app.route("/")
def index():
    """Greets, and says which stage it is."""
    return {"greeting": GREETING, "stage": os.environ["STAGE"]}


@app.route("/guests/{guest}", methods=["GET", "PUT"], cors=BROWSERS)
def one(guest):
    """Shows a guest."""
    if guest not in GUESTS:
        raise NotFoundError(f"no guest is called {guest}")
    return {"guest": guest, "says": GUESTS[guest], "method": app.current_request.method}


@app.route("/files/{proxy+}")
def files():
    """Takes any path."""
    return {"path": app.current_request.uri_params["proxy"]}


@app.route("/cellar", authorizer=doorkeeper)
def cellar():
    """Is only for those whom the doorkeeper lets in."""
    return {"guest": app.current_request.context["authorizer"]["principalId"]}


@app.route("/keys", api_key_required=True)
def keys():
    """Is only for those who send an API key."""
    return {}


@app.route("/echo", methods=["POST"], content_types=["application/octet-stream"])
def echo():
    """Gives bytes back, the last one first."""
    body = app.current_request.raw_body[::-1]
    return Response(body=body, headers={"Content-Type": "application/octet-stream"})


@app.lambda_function(name="sweep")
def sweep(event, context):
    """Is a function without a route."""
    return {"swept": len(GUESTS)}
