from chalice import Chalice

app = Chalice(app_name="dynamodb")


@app.on_dynamodb_record(
    stream_arn="arn:aws:dynamodb:us-east-1:000000000000:table/guests/stream/2026-02-02T00:00:00.000", batch_size=5
)
def guests(event):
    return {}
