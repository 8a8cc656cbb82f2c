"""Pipecat's serializers, at work: as the application of a real call, and as readers of what was said in one.

They alone decode and write here; whether that was right is judged elsewhere.
"""

import argparse
import array
import asyncio
import audioop
import base64
import json
import math
import pathlib
import random
import sys
import wave
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from loguru import logger

import pipecat
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InputDTMFFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
)
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer

RATE = 8_000
# Pipecat's own transports speak 40 ms at a time.
CHUNK = RATE // 25


# One carrier each: who decodes and writes, and what an application does to have a stream.


@dataclass
class Call:
    """What a stream's first message says."""

    start: dict
    stream: str


class Twilio:
    @staticmethod
    def call(message):
        return Call(message["start"], message["start"]["streamSid"])

    @staticmethod
    def serializer(call, _law):
        kind = TwilioFrameSerializer
        params = kind.InputParams(auto_hang_up=False, sample_rate=RATE)
        return kind(call.stream, call_sid=call.start["callSid"], params=params)

    @staticmethod
    async def answer(_request, socket, _options):
        text = f'<Response><Connect><Stream url="{socket}"/></Connect></Response>'
        return web.Response(text=text, content_type="text/xml")


class Telnyx:
    ENCODINGS = {"mu": "PCMU", "a": "PCMA"}

    @staticmethod
    def call(message):
        return Call(message["start"], message["stream_id"])

    @classmethod
    def serializer(cls, call, law):
        kind = TelnyxFrameSerializer
        params = kind.InputParams(auto_hang_up=False, sample_rate=RATE)
        # What it calls outbound is outbound to the carrier: what is decoded here.
        heard = call.start["media_format"]["encoding"]
        return kind(call.stream, heard, cls.ENCODINGS[law], params=params)

    @classmethod
    async def answer(cls, request, socket, options):
        event = (await request.json())["data"]
        if event["event_type"] == "call.initiated":
            encoding = cls.ENCODINGS[options.law]
            order = {
                "stream_url": socket,
                "stream_track": "inbound_track",
                "stream_codec": encoding,
                "stream_bidirectional_mode": "rtp",
                "stream_bidirectional_codec": encoding,
                "stream_bidirectional_target_legs": "self",
            }
            call = event["payload"]["call_control_id"]
            url = f"{options.api}/v2/calls/{call}/actions/answer"
            headers = {"Authorization": f"Bearer {options.secret}"}
            async with aiohttp.ClientSession() as session:
                async with session.post(url, json=order, headers=headers) as answer:
                    answer.raise_for_status()
        return web.Response()


class Plivo:
    @staticmethod
    def call(message):
        return Call(message["start"], message["start"]["streamId"])

    @staticmethod
    def serializer(call, _law):
        kind = PlivoFrameSerializer
        params = kind.InputParams(auto_hang_up=False, sample_rate=RATE)
        return kind(call.stream, call_id=call.start["callId"], params=params)

    @staticmethod
    async def answer(_request, socket, _options):
        stream = '<Stream bidirectional="true" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000">'
        text = f"<Response>{stream}{socket}</Stream></Response>"
        return web.Response(text=text, content_type="application/xml")


CARRIERS = {"plivo": Plivo, "telnyx": Telnyx, "twilio": Twilio}


# Reading what a carrier says.


class Ear:
    """Decodes a carrier's messages, one after the other."""

    def __init__(self, carrier, law):
        self.carrier, self.law = CARRIERS[carrier], law
        self.serializer = None
        self.messages, self.decoded, self.frames = {}, 0, 0
        self.keys, self.sound = "", bytearray()

    async def hear(self, text):
        """What Pipecat makes of a message: a frame, or nothing."""
        message = json.loads(text)
        event = message["event"]
        self.messages[event] = self.messages.get(event, 0) + 1
        if event == "start":
            self.serializer = self.carrier.serializer(self.carrier.call(message), self.law)
        if self.serializer is None:
            return None
        # The rate is given: nothing of the rest is asked for.
        await self.serializer.setup(None)
        frame = await self.serializer.deserialize(text)
        if isinstance(frame, InputAudioRawFrame):
            self.frames += 1
            self.sound += frame.audio
        elif isinstance(frame, InputDTMFFrame):
            self.keys += frame.button.value
        self.decoded += frame is not None
        return frame

    def report(self, folder, **more):
        (folder / "decoded.pcm").write_bytes(self.sound)
        report = {
            "pipecat": pipecat.version(),
            "messages": self.messages,
            "decoded": self.decoded,
            "frames": self.frames,
            "keys": self.keys,
            **more,
        }
        # Whoever waits for the report finds all of it.
        unfinished = folder / "report.unfinished"
        unfinished.write_text(json.dumps(report))
        unfinished.rename(folder / "report.json")


# The application of a call.


class App:
    """Greets, talks at length on `*`, falls silent on `#`, and writes down what it hears."""

    def __init__(self, options):
        self.options = options
        self.folder = options.folder
        self.produced = {"sound": 0, "clear": 0}

    async def voice(self, request):
        socket = f"ws://127.0.0.1:{self.options.port}/media"
        return await CARRIERS[self.options.carrier].answer(request, socket, self.options)

    async def media(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        ear = Ear(self.options.carrier, self.options.law)
        with open(self.folder / "wire.jsonl", "w") as self.wire:
            async for message in socket:
                self.note("carrier", message.data)
                frame = await ear.hear(message.data)
                if json.loads(message.data)["event"] == "start":
                    await self.speak(socket, ear, "greeting.wav")
                if isinstance(frame, InputDTMFFrame) and frame.button.value == "*":
                    await self.speak(socket, ear, "story.wav")
                if isinstance(frame, InputDTMFFrame) and frame.button.value == "#":
                    await self.say(socket, ear, InterruptionFrame(), "clear")
        ear.report(self.folder, produced=self.produced)
        return socket

    async def speak(self, socket, ear, file):
        sound = read_wav(self.folder / file)
        for at in range(0, len(sound), 2 * CHUNK):
            audio = bytes(sound[at : at + 2 * CHUNK])
            await self.say(socket, ear, OutputAudioRawFrame(audio, RATE, 1), "sound")

    async def say(self, socket, ear, frame, kind):
        text = await ear.serializer.serialize(frame)
        self.produced[kind] += 1
        self.note("app", text)
        await socket.send_str(text)

    def note(self, who, text):
        self.wire.write(json.dumps({"from": who, "text": text}) + "\n")


async def serve(options):
    app = App(options)
    server = web.Application()
    server.router.add_post("/voice", app.voice)
    server.router.add_get("/media", app.media)
    await listen(server, options.port)


async def listen(server, port):
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


# Between a carrier and an application.


class Recorder:
    """Passes everything on, and writes down what is said on the media socket, with what Pipecat makes of it."""

    def __init__(self, options):
        self.options = options
        self.there = f"127.0.0.1:{options.to}"

    async def pass_on(self, request):
        headers = {name: it for name, it in request.headers.items() if name.lower() not in OF_A_HOP}
        async with aiohttp.ClientSession() as session:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self.media(session, request, headers)
            url, body = f"http://{self.there}{request.path_qs}", await request.read()
            async with session.request(request.method, url, headers=headers, data=body) as answer:
                kind = answer.headers.get("Content-Type", "text/plain")
                return web.Response(
                    status=answer.status, body=await answer.read(), headers={"Content-Type": kind}
                )

    async def media(self, session, request, headers):
        carrier = web.WebSocketResponse()
        said = []
        async with session.ws_connect(f"ws://{self.there}{request.path_qs}", headers=headers) as app:
            await carrier.prepare(request)
            ways = {
                asyncio.create_task(self.copy(carrier, app, lambda text: said.append(("carrier", text)))),
                asyncio.create_task(self.copy(app, carrier, lambda text: said.append(("app", text)))),
            }
            _, unfinished = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(carrier.close(), app.close())
            for way in unfinished:
                way.cancel()
        await self.read(said)
        return carrier

    @staticmethod
    async def copy(there, here, note):
        async for message in there:
            note(message.data)
            await here.send_str(message.data)

    async def read(self, said):
        """Decodes what the carrier said, and writes anew what the application did."""
        ear = Ear(self.options.carrier, self.options.law)
        decode = audioop.alaw2lin if self.options.law == "a" else audioop.ulaw2lin
        spoken = bytearray()
        with open(self.options.folder / "twins.jsonl", "w") as twins:
            for who, text in said:
                if who == "carrier":
                    await ear.hear(text)
                    continue
                ours, theirs = json.loads(text), None
                if ours["event"] in ("media", "playAudio"):
                    sound = decode(base64.b64decode(ours["media"]["payload"]), 2)
                    spoken += sound
                    theirs = await ear.serializer.serialize(OutputAudioRawFrame(sound, RATE, 1))
                elif ours["event"] in ("clear", "clearAudio"):
                    theirs = await ear.serializer.serialize(InterruptionFrame())
                theirs = theirs and json.loads(theirs)
                twins.write(json.dumps({"ours": ours, "theirs": theirs}) + "\n")
        (self.options.folder / "spoken.pcm").write_bytes(spoken)
        ear.report(self.options.folder)


async def record(options):
    server = web.Application()
    server.router.add_route("*", "/{path:.*}", Recorder(options).pass_on)
    await listen(server, options.port)


# What is one connection's own business, and what a client says for itself.
OF_A_HOP = {
    "host",
    "connection",
    "upgrade",
    "content-length",
    "transfer-encoding",
    "accept-encoding",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-extensions",
}


# Sounds that are the same after they were written in the line's law.


def write_sounds(options):
    compand = {
        "mu": lambda it: audioop.ulaw2lin(audioop.lin2ulaw(it, 2), 2),
        "a": lambda it: audioop.alaw2lin(audioop.lin2alaw(it, 2), 2),
    }[options.law]
    for number, (name, seconds) in enumerate({"greeting": 1.5, "story": 8, "caller": 2.5}.items()):
        sound = compand(voice(number, seconds))
        with wave.open(str(options.folder / f"{name}.wav"), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(sound)


def voice(seed, seconds):
    """Sweeps of ever other pitch with noise in them: no stretch of it is like another."""
    dice = random.Random(seed)
    samples, phase = array.array("h"), 0.0
    for at in range(int(seconds * RATE)):
        time = at / RATE
        pitch = 300 + 120 * seed + 900 * (time % 1.0) + 40 * time
        phase += 2 * math.pi * pitch / RATE
        loud = 9_000 * (0.6 + 0.4 * math.sin(2 * math.pi * 3 * time))
        samples.append(int(loud * math.sin(phase) + dice.gauss(0, 400)))
    return samples.tobytes()


def read_wav(path):
    with wave.open(str(path), "rb") as file:
        return file.readframes(file.getnframes())


def main():
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=["version", "sounds", "serve", "record"])
    parser.add_argument("--carrier", choices=sorted(CARRIERS))
    parser.add_argument("--law", choices=["mu", "a"], default="mu")
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--to", type=int, help="the port of the application that is recorded")
    parser.add_argument("--api", help="where the carrier's API is")
    parser.add_argument("--secret", help="the account's secret there")
    options = parser.parse_args()
    if options.task == "version":
        print(pipecat.version())
    elif options.task == "sounds":
        write_sounds(options)
    elif options.task == "serve":
        asyncio.run(serve(options))
    else:
        asyncio.run(record(options))


if __name__ == "__main__":
    main()
