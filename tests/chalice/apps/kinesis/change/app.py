from chalice import Chalice

app = Chalice(app_name="kinesis")


@app.on_kinesis_record(stream="kinesis-clicks", batch_size=7, maximum_batching_window_in_seconds=3)
def clicks(event):
    return {}


@app.on_kinesis_record(stream="kinesis-visits", name="visitors")
def visits(event):
    return {}
