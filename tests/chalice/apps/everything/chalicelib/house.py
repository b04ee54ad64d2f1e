from chalice import Blueprint

house = Blueprint(__name__)


@house.route("/")
def rooms():
    return {}


@house.route("/rooms/{room}/{proxy+}", methods=["GET", "PUT"], content_types=["application/json", "text/plain"])
def room(room):
    return {}
