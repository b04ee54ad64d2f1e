from chalice import Chalice

app = Chalice(app_name="buckets")


@app.on_s3_event(bucket="buckets-one")
def anything(event):
    return {}


@app.on_s3_event(
    bucket="buckets-two", events=["s3:ObjectCreated:Put", "s3:ObjectRemoved:*"], prefix="images/", suffix=".png"
)
def images(event):
    return {}


@app.on_s3_event(bucket="buckets-two", prefix="texts/", name="texts")
def read_texts(event):
    return {}
