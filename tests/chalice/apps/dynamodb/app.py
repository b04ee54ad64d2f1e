from chalice import Chalice

app = Chalice(app_name="dynamodb")


@app.on_dynamodb_record(
    stream_arn="arn:aws:dynamodb:us-east-1:000000000000:table/guests/stream/2026-01-01T00:00:00.000"
)
def guests(event):
    return {}


@app.on_dynamodb_record(
    stream_arn="arn:aws:dynamodb:us-east-1:000000000000:table/rooms/stream/2026-01-01T00:00:00.000",
    batch_size=10,
    starting_position="TRIM_HORIZON",
    maximum_batching_window_in_seconds=15,
    name="rooms",
)
def take_rooms(event):
    return {}
