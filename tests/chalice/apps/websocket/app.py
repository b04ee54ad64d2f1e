from chalice import Chalice

app = Chalice(app_name="websocket")
app.experimental_feature_flags.update(["WEBSOCKETS"])


@app.on_ws_connect()
def come(event):
    pass


@app.on_ws_message()
def say(event):
    pass
