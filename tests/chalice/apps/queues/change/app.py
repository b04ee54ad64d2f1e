from chalice import Chalice

app = Chalice(app_name="queues")


@app.on_sqs_message(queue="queues-other", batch_size=3)
def plain(event):
    return {}


@app.on_sqs_message(queue="queues-tuned", batch_size=20, maximum_batching_window_in_seconds=5)
def tuned(event):
    return {}


@app.on_sqs_message(queue_arn="arn:aws:sqs:us-east-1:000000000000:queues-whole", maximum_concurrency=2, name="whole")
def by_arn(event):
    return {}


@app.on_sqs_message(queue="queues-plain")
def added(event):
    return {}
