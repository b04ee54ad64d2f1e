from chalice import Chalice

app = Chalice(app_name="buckets")


@app.on_s3_event(bucket="buckets-three")
def anything(event):
    return {}


@app.on_s3_event(bucket="buckets-two", events=["s3:ObjectCreated:*"], prefix="pictures/")
def images(event):
    return {}
