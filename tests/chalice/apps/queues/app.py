from chalice import Chalice

app = Chalice(app_name="queues")


@app.on_sqs_message(queue="queues-plain")
def plain(event):
    return {}


@app.on_sqs_message(
    queue="queues-tuned", batch_size=50, maximum_batching_window_in_seconds=20, maximum_concurrency=5
)
def tuned(event):
    return {}


@app.on_sqs_message(queue_arn="arn:aws:sqs:us-east-1:000000000000:queues-whole", batch_size=10, name="whole")
def by_arn(event):
    return {}


@app.on_sqs_message(queue="queues-left")
def left(event):
    return {}
