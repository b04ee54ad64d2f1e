from chalice import Chalice

app = Chalice(app_name="logs")


@app.route("/")
def index():
    return {}


@app.lambda_function()
def job(event, context):
    return {}


@app.lambda_function()
def jobs(event, context):
    return {}
