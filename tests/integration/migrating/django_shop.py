"""A project of Django's for the tests, the real manage.py over it, and what the processes of the tests do with it.

A process can open one project, so that each use of one is in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lockgate.engine import runner
from lockgate.engine.rollback import rollback
from lockgate.plan.load import load_plan
from tests.integration.engine.plans import sessions
from tests.killing import Ended, call

MANAGE = """
import os, sys
if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_of_shop.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
"""
SETTINGS = """
import os
from psycopg.conninfo import conninfo_to_dict

SECRET_KEY = "x"
USE_TZ = True
TIME_ZONE = "Asia/Kolkata"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.postgres", "shop"]
said = conninfo_to_dict(os.environ.get("SHOP_DSN", "dbname=nowhere"))
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": said["dbname"],
        "USER": said.get("user", ""),
        "PASSWORD": said.get("password", ""),
        "HOST": said.get("host", ""),
        "PORT": said.get("port", ""),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
MODELS = """
from django.db import models

class Thing(models.Model):
    name = models.TextField(default="")
    class Meta:
        indexes = [models.Index(fields=["name"], name="things_name")]
"""
HEAD = """
from django.db import migrations, models
from django.contrib.postgres.operations import AddIndexConcurrently

class Migration(migrations.Migration):
"""
FILES: Mapping[str, str] = {
    "0001_initial": HEAD
    + """
    initial = True
    operations = [
        migrations.CreateModel("Thing", [("id", models.BigAutoField(primary_key=True, auto_created=True,
            verbose_name="ID", serialize=False)), ("name", models.TextField(default=""))]),
    ]
""",
    "0002_index": HEAD
    + """
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [AddIndexConcurrently("thing", models.Index(fields=["name"], name="things_name"))]
""",
    "0003_rows": """
from django.db import migrations

def fill(apps, schema_editor):
    things = apps.get_model("shop", "Thing")
    things.objects.bulk_create([things(name="a"), things(name="b")])

def empty(apps, schema_editor):
    apps.get_model("shop", "Thing").objects.all().delete()

class Migration(migrations.Migration):
    dependencies = [("shop", "0002_index")]
    operations = [
        migrations.RunPython(fill, empty),
    ]
""",
}
LAST = "shop.0003_rows"
PLAN = """
plan: shop
settings: {lock_timeout: 200ms, lock_retries: 3}
migrations: {path: ..}
phases:
  - id: first
    steps: [{migrate: shop.0001_initial}]
  - id: second
    steps: [{migrate: %s}]
"""
HISTORY = "SELECT name FROM django_migrations WHERE app = 'shop' ORDER BY id"


def project(root: Path, files: Mapping[str, str] = FILES, last: str = LAST) -> Path:
    texts = {
        "manage.py": MANAGE,
        "site_of_shop/__init__.py": "",
        "site_of_shop/settings.py": SETTINGS,
        "shop/__init__.py": "",
        "shop/models.py": MODELS,
        "shop/migrations/__init__.py": "",
        "plan/plan.yaml": PLAN % last,
        **{f"shop/migrations/{name}.py": text for name, text in files.items()},
    }
    for name, text in texts.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def manage(root: Path, dsn: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The real tool."""
    env = {**os.environ, "SHOP_DSN": dsn, "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=env)


def shown(root: Path, dsn: str) -> list[str]:
    """The migrations of the shop as `manage.py showmigrations` marks them."""
    done = manage(root, dsn, "showmigrations", "shop")
    assert done.returncode == 0, done.stderr
    return [line.strip() for line in done.stdout.splitlines()[1:]]


def apply_folder(dsn: str, root: str, to: str | None = None) -> None:
    runner.apply(load_plan(Path(root) / "plan"), sessions(dsn), to=to)


def roll_back(dsn: str, root: str) -> None:
    rollback(load_plan(Path(root) / "plan"), sessions(dsn), to="@start", lose_rows=True)


def apply(dsn: str, root: Path, to: str | None = None, fault: str | None = None) -> Ended:
    return call(f"{__name__}:apply_folder", dsn, str(root), to, fault=fault)


def back(dsn: str, root: Path, fault: str | None = None) -> Ended:
    return call(f"{__name__}:roll_back", dsn, str(root), fault=fault)
