from chalice import Chalice

app = Chalice(app_name="policy-files")


@app.route("/")
def index():
    return {}


@app.lambda_function()
def job(event, context):
    return {}


@app.schedule("rate(1 day)")
def sweep(event):
    return {}
