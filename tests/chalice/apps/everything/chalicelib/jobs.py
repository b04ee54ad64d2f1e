from chalice import Blueprint

jobs = Blueprint(__name__)


@jobs.lambda_function()
def count(event, context):
    return {}


@jobs.schedule("rate(1 day)")
def sweep(event):
    return {}
