from chalice import Chalice

app = Chalice(app_name="config-levels")


@app.route("/")
def index():
    return {}


@app.lambda_function()
def plain(event, context):
    return {}


@app.lambda_function()
def tuned(event, context):
    return {}


@app.lambda_function()
def leaving(event, context):
    return {}
