from chalice import Blueprint

guests = Blueprint(__name__)


@guests.route("/")
def everybody():
    return {}


@guests.route("/{guest}", methods=["GET", "PUT"], cors=True)
def one(guest):
    return {}
