"""A stand-in for Grafana, which no package brings here: its addresses, what it asks of a proxy, its WebSocket.

Run: python grafana_stand_in.py PORT. It answers with the headers that it was sent, so that a test can read them.
"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket


async def health(request: Request) -> Response:
    return JSONResponse({"database": "ok"})


async def sign_in(request: Request) -> Response:
    if request.method == "GET":
        return Response("<title>Grafana</title>", media_type="text/html", headers={"X-Frame-Options": "allow"})
    return JSONResponse({"message": "Invalid username or password"}, status_code=401)


async def home(request: Request) -> Response:
    return RedirectResponse("/login", status_code=302)


async def echo_headers(request: Request) -> Response:
    return JSONResponse(dict(request.headers))


async def live(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


app = Starlette(
    routes=[
        Route("/", home),
        Route("/login", sign_in, methods=["GET", "POST"]),
        Route("/api/health", health),
        Route("/api/echo", echo_headers),
        WebSocketRoute("/api/live/ws", live),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", server_header=False)
