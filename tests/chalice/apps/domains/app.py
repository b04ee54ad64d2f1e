from chalice import Chalice

app = Chalice(app_name="domains")
app.experimental_feature_flags.update(["WEBSOCKETS"])


@app.route("/")
def index():
    return {}


@app.on_ws_message()
def say(event):
    pass
