"""An ASGI app whose answers take long: what is under way when it is replaced."""

import asyncio

import version


async def app(scope, receive, send):
    """Answer at once, after SECONDS (/long/SECONDS), ten times a second (/events/SECONDS), or echo a WebSocket."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    elif scope["type"] == "http":
        _, what, seconds, *_ = [*scope["path"].split("/"), "", ""]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        if what == "long":
            await asyncio.sleep(float(seconds))
            await send({"type": "http.response.body", "body": b"at last"})
        elif what == "events":
            for number in range(int(float(seconds) * 10)):
                await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
                await asyncio.sleep(0.1)
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": b"version %d" % version.VERSION})
