import greetings
from chalice import Chalice

app = Chalice(app_name="layer")


@app.route("/")
def index():
    return {"greeting": greetings.WELCOME}


@app.lambda_function()
def job(event, context):
    return {}
