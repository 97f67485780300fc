"""jobs.toml as an editor has it: taplo, which checks, and the language server that completes keys."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TAPLO = Path(sys.executable).with_name("taplo")
# A fork of taplo: the taplo on the registry has no language server in it.
SERVER = Path(sys.executable).with_name("olpat")


def complaints(file: Path) -> str:
    """What taplo says of a file whose schema its first line names; "" where it is valid."""
    done = subprocess.run(
        (TAPLO, "--colors=never", "lint", file),
        cwd=file.parent,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    errors = "\n".join(line for line in done.stderr.splitlines() if "INFO" not in line)
    assert (done.returncode == 0) == (not errors), done
    return errors


@dataclass(frozen=True, kw_only=True)
class Server:
    """A language server that is running, spoken to in JSON-RPC."""

    process: subprocess.Popen[bytes]

    def send(self, method: str, params: dict[str, Any], number: int | None = None) -> None:
        self._write({"method": method, "params": params, **({"id": number} if number else {})})

    def ask(self, number: int, method: str, params: dict[str, Any]) -> Any:
        self.send(method, params, number)
        while (heard := self._read()).get("id") != number or "method" in heard:
            # It asks for settings of the editor before it answers.
            if "method" in heard and "id" in heard:
                items = (heard.get("params") or {}).get("items", ())
                self._write({"id": heard["id"], "result": [None for _ in items]})
        return heard["result"]

    def _write(self, message: dict[str, Any]) -> None:
        content = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        self.process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return dict(json.loads(self.process.stdout.read(length)))


def completions(folder: Path, text: str, line: int) -> list[str]:
    """The keys that an editor offers at the first letters of a line (from 0) of `text`, a jobs.toml in `folder`."""
    document = {"uri": (folder / "jobs.toml").as_uri()}
    with subprocess.Popen(
        (SERVER, "lsp", "stdio"), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            server = Server(process=process)
            place = {"rootUri": folder.as_uri(), "workspaceFolders": [{"uri": folder.as_uri(), "name": "site"}]}
            server.ask(1, "initialize", {"processId": None, "capabilities": {}, **place})
            server.send("initialized", {})
            opened = {**document, "languageId": "toml", "version": 1, "text": text}
            server.send("textDocument/didOpen", {"textDocument": opened})
            at = {"textDocument": document, "position": {"line": line, "character": 2}}
            for number in range(2, 100):
                # It answers before it has read the schema that the first line names.
                if found := server.ask(number, "textDocument/completion", at):
                    return [item["label"] for item in found]
                time.sleep(0.1)
            return []
        finally:
            process.kill()
