from chalice import Chalice

app = Chalice(app_name="endpoints")


@app.route("/")
def index():
    return {}
