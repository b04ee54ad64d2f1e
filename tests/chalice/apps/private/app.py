from chalice import Chalice

app = Chalice(app_name="private")


@app.route("/")
def index():
    return {}
