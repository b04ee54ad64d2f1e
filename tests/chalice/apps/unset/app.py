from chalice import Chalice

app = Chalice(app_name="unset")


@app.route("/")
def index():
    return {}


@app.lambda_function()
def job(event, context):
    return {}
