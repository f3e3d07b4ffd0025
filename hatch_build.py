"""The README on a package index: its links into the repository become addresses of the released version."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?\[[^\]]*\])\((?![a-z]+:|#)([^)\s]+)\)")
"""A Markdown link or picture with a relative path."""


class ReadmeHook(MetadataHookInterface):
    """Makes the description of the distribution from ``README.md``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the field ``readme``."""
        source, tag = metadata["urls"]["Source"], f"v{metadata['version']}"

        def address(link: re.Match[str]) -> str:
            kind = "raw" if link[1].startswith("!") else "blob"
            return f"{link[1]}({source}/{kind}/{tag}/{link[2]})"

        text = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": LINK.sub(address, text)}
