from chalice import Chalice, Cron, Rate

app = Chalice(app_name="schedules")


@app.schedule(Rate(10, unit=Rate.MINUTES), description="Is slower.")
def often(event):
    return {}


@app.schedule(Cron(15, 11, "?", "*", "MON-FRI", "*"))
def morning(event):
    return {}


@app.schedule("rate(2 days)")
def added(event):
    return {}


@app.on_cw_event({"source": ["aws.ec2", "aws.ecs"]})
def machines(event):
    return {}
