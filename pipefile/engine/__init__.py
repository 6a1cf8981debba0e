"""One build from request to result: the only place that joins the rooms below."""
