from chalice import Blueprint, Rate

jobs = Blueprint(__name__)


@jobs.schedule(Rate(1, unit=Rate.DAYS))
def sweep(event):
    return {}


@jobs.lambda_function(name="count")
def count_guests(event, context):
    return {}


@jobs.on_sqs_message(queue="blueprints")
def listen(event):
    return {}
