from chalice import Chalice

app = Chalice(app_name="kinesis")


@app.on_kinesis_record(stream="kinesis-clicks")
def clicks(event):
    return {}


@app.on_kinesis_record(
    stream="kinesis-visits", batch_size=25, starting_position="TRIM_HORIZON", maximum_batching_window_in_seconds=30
)
def visits(event):
    return {}
