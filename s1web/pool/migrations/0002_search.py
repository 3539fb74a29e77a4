"""Which state the pool is in, and the text index over it."""

import secrets

import django.db.models.deletion
from django.db import migrations, models

# without the texts themselves, which the pool's tables have, and without sizes, which only ranking would read
SQLITE = """
CREATE VIRTUAL TABLE pool_search USING fts5(
    question, solution, trace, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2'
)
"""
# what the index gathers in memory before it writes: fewer and larger pieces on the disk
SQLITE_MEMORY = "INSERT INTO pool_search(pool_search, rank) VALUES ('hashsize', 33554432)"
# a text in one piece or several: a word has at most 255 places in a tsvector
POSTGRESQL = """
CREATE TABLE pool_search (
    question_id bigint NOT NULL REFERENCES pool_searchedquestion DEFERRABLE INITIALLY DEFERRED,
    field smallint NOT NULL,
    words tsvector NOT NULL
);
CREATE INDEX pool_search_question ON pool_search (question_id);
CREATE INDEX pool_search_words ON pool_search USING gin (words);
"""


def begin(apps, schema_editor):
    apps.get_model("pool", "PoolVersion").objects.create(pk=1, number=0, token=secrets.token_hex(8))


def make_index(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(SQLITE)
        schema_editor.execute(SQLITE_MEMORY)
    else:
        schema_editor.execute(POSTGRESQL)


def drop_index(apps, schema_editor):
    schema_editor.execute("DROP TABLE pool_search")


class Migration(migrations.Migration):
    dependencies = [
        ("pool", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="PoolVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.BigIntegerField(default=0)),
                (
                    "token",
                    models.CharField(help_text="new with every change: a restored backup repeats numbers", max_length=16),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SearchedQuestion",
            fields=[
                (
                    "question",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="pool.question",
                    ),
                ),
                ("indexed_trace_id", models.BigIntegerField(default=0, help_text="0: it had none")),
            ],
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
        migrations.RunPython(make_index, drop_index),
    ]
