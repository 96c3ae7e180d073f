"""The contract and the installed SDK."""

import shutil
from pathlib import Path

import pytest

from sandbox.contract import derive


def test_committed_contract_is_that_of_the_installed_sdk(capsys: pytest.CaptureFixture[str]) -> None:
    assert derive.main(["--check"]) == 0
    assert "agree on API version" in capsys.readouterr().out


def test_another_sdk_is_noticed_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sdk = tmp_path / "stripe"
    shutil.copytree(derive.installed_sdk(), sdk, ignore=shutil.ignore_patterns("__pycache__", "v2"))
    charge = sdk / "_charge.py"
    charge.write_text(charge.read_text().replace("    amount_refunded: int", "    amount_given_back: int"))
    version = sdk / "_api_version.py"
    version.write_text(version.read_text().replace("endive", "fennel"))

    code = derive.main(["--check", "--sdk", str(sdk)])

    said = capsys.readouterr().err
    assert code == 1
    assert "object charge changed" in said
    assert "fennel" in said
    assert "python -m sandbox.contract.derive" in said


def test_differences_name_what_came_and_went() -> None:
    old = derive.load_contract()
    new = derive.load_contract()
    del new["paths"]["/v1/customers"]["post"]
    new["components"]["schemas"]["novelty"] = {}

    assert derive.find_differences(committed=old, derived=new) == [
        "operation POST /v1/customers is gone",
        "object novelty is new",
    ]
