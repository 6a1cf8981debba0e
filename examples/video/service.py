"""A stand-in for a service that somebody else runs and that is not always there: POST a picture (binary PPM), get a poster (PNG).

python3 service.py [--fail N]

It answers the first N requests with `503 Service Unavailable`; -1: all of them. How often it was asked stands in STATE/calls, outside the project, so
that a build cannot see it; where it listens, in STATE/url.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer

from picture import Picture, parse_ppm

PORT = 8931
YELLOW, WHITE, BLACK = (242, 193, 78), (255, 255, 255), (20, 24, 28)


def poster(picture: Picture) -> Picture:
    """The picture in a mount, with the triangle that says "play"."""
    edge = 10
    out = Picture(picture.width + 2 * edge, picture.height + 2 * edge, bytearray(3 * (picture.width + 2 * edge) * (picture.height + 2 * edge)))
    out.fill(0, 0, out.width, out.height, BLACK)
    for y in range(picture.height):
        start = 3 * ((y + edge) * out.width + edge)
        out.pixels[start : start + 3 * picture.width] = picture.pixels[3 * y * picture.width : 3 * (y + 1) * picture.width]
    out.frame(3, 3, out.width - 6, out.height - 6, YELLOW)
    for step in range(25):
        out.fill(out.width // 2 - 12, out.height // 2 - 25 + 2 * step, 2 * min(step, 24 - step) + 2, 2, WHITE)
    return out


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.refuses():
            self.send_error(503)
            return
        body = poster(parse_ppm(data)).png()
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Service(HTTPServer):
    def __init__(self, port: int, state: str, fail: int) -> None:
        self.state, self.fail = state, fail
        os.makedirs(state, exist_ok=True)
        super().__init__(("127.0.0.1", port), Handler)
        self.note("calls", "0")
        self.note("url", f"http://127.0.0.1:{self.server_port}")

    def refuses(self) -> bool:
        """Count one more request; whether it is among those that fail."""
        with open(os.path.join(self.state, "calls")) as file:
            calls = int(file.read()) + 1
        self.note("calls", str(calls))
        return self.fail < 0 or calls <= self.fail

    def note(self, name: str, text: str) -> None:
        """Write a file of the state so that whoever reads it sees all of it or nothing."""
        path = os.path.join(self.state, name)
        with open(path + ".new", "w") as file:
            file.write(text + "\n")
        os.replace(path + ".new", path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fail", type=int, default=0, metavar="N", help="refuse the first N requests; -1: all (default: 0)")
    parser.add_argument("--port", type=int, default=PORT, help=f"listen there; 0: on any free port (default: {PORT})")
    state = os.path.join(tempfile.gettempdir(), "pipefile-video-service")
    parser.add_argument("--state", default=state, metavar="FOLDER", help=f"keep `calls` and `url` there (default: {state})")
    given = parser.parse_args()
    with Service(given.port, given.state, given.fail) as service:
        print(f"listening on http://127.0.0.1:{service.server_port}, state in {given.state}", flush=True)
        try:
            service.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
