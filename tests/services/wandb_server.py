"""A small W&B server for tests: as much of the protocol as the SDK needs. It keeps what it received."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "local-" + "k" * 40
ENTITY = "tester"


class WandbServer:
    """Listens on a free port of this machine; a context manager."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.exit_codes: dict[str, int] = {}
        self.operations: list[str] = []
        self.artifacts: list[dict[str, Any]] = []
        self.refused = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> WandbServer:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, name: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data of one GraphQL operation."""
        self.operations.append(name)
        viewer = {
            "id": "u1", "entity": ENTITY, "username": ENTITY, "email": "t@example.org", "admin": False,
            "flags": "{}", "deletedAt": None, "name": ENTITY,
            "teams": {"edges": []}, "apiKeys": {"edges": []},
        }  # fmt: skip
        if name in {"Viewer", "GetDefaultEntity", "GetViewer"} or "viewer" in query.lower():
            return {"viewer": viewer, "serverInfo": _SERVER}
        if "serverInfo" in query:
            return {"serverInfo": _SERVER}
        if name == "UpsertBucket":
            return {"upsertBucket": self._upsert(variables)}
        if name == "RunResumeStatus":
            return {"model": None}
        if name == "CreateRunFiles":
            files = [{"name": each, "uploadUrl": f"{self.url}/storage/{each}"} for each in variables["files"]]
            return {"createRunFiles": {"runID": variables["run"], "uploadHeaders": [], "files": files}}
        if name in {"CreateArtifact", "CommitArtifact"}:
            self.artifacts.append(variables)
        return _ARTIFACT.get(name, {})

    def _upsert(self, variables: dict[str, Any]) -> dict[str, Any]:
        name = variables.get("name") or variables.get("id")
        run = self.runs.setdefault(name, {})
        run.update({key: value for key, value in variables.items() if value is not None})
        project = {"id": "p1", "name": run.get("project"), "entity": {"id": "e1", "name": ENTITY}}
        return {
            "bucket": {
                "id": f"id-{name}", "name": name, "displayName": run.get("displayName"), "description": "",
                "config": run.get("config", "{}"), "sweepName": None, "project": project,
                "historyLineCount": 0,
            },
            "inserted": True,
        }  # fmt: skip

    def stream(self, run: str, body: dict[str, Any]) -> None:
        """One request of a run's file stream."""
        history = body.get("files", {}).get("wandb-history.jsonl", {})
        self.history.setdefault(run, []).extend(json.loads(line) for line in history.get("content", []))
        if body.get("complete"):
            self.exit_codes[run] = body["exitcode"]


_SERVER = {
    "cliVersionInfo": {"max_cli_version": "999.0.0"},
    "latestLocalVersionInfo": None,
    "features": [],
}
_ARTIFACT: dict[str, dict[str, Any]] = {
    "ArtifactType": {"project": None},
    "CreateArtifact": {
        "createArtifact": {
            "artifact": {
                "id": "a1",
                "state": "PENDING",
                "artifactSequence": {"id": "s1", "latestArtifact": None},
            }
        }
    },
    "CommitArtifact": {"commitArtifact": {"artifact": {"id": "a1", "digest": "d"}}},
    "UseArtifact": {"useArtifact": {"artifact": {"id": "a1"}}},
}


def _handler(server: WandbServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
            given = self.headers.get("Authorization", "").removeprefix("Basic ")
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if base64.b64decode(given + "==", validate=False) != f"api:{KEY}".encode() and bearer != KEY:
                server.refused += 1
                self._send(401, {"error": "user is not logged in"})
            elif self.path == "/graphql":
                name = body.get("operationName") or body["query"].split("(")[0].split("{")[0].split()[-1]
                self._send(200, {"data": server.answer(name, body["query"], body.get("variables") or {})})
            else:
                server.stream(self.path.split("/")[-2], body)
                self._send(200, {})

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._send(200, {})

        def do_GET(self) -> None:
            self._send(200, {})

        def _send(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
