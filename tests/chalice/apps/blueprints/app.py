from chalice import Chalice

from chalicelib.guests import guests
from chalicelib.jobs import jobs

app = Chalice(app_name="blueprints")
app.register_blueprint(guests, url_prefix="/guests")
app.register_blueprint(jobs, name_prefix="nightly_")


@app.route("/")
def index():
    return {}
