from chalice import Chalice

from chalicelib.guests import guests
from chalicelib.jobs import jobs

app = Chalice(app_name="blueprints")
app.register_blueprint(guests, url_prefix="/v2/guests")
app.register_blueprint(jobs, name_prefix="hourly_")
