"""The history of decisions on evidence of contamination."""

import django.db.models.deletion
from django.db import migrations, models

DECISIONS = [("", "Undecided"), ("overruled", "overruled: not contaminated"), ("upheld", "Upheld")]


class Migration(migrations.Migration):
    dependencies = [
        ("pool", "0002_search"),
    ]

    operations = [
        migrations.CreateModel(
            name="ContaminationRuling",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("decision", models.CharField(blank=True, choices=DECISIONS, max_length=10)),
                ("decided_by", models.CharField(blank=True, max_length=150)),
                ("decided_at", models.DateTimeField(auto_now_add=True)),
                ("reason", models.TextField(blank=True)),
                (
                    "contamination",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rulings",
                        to="pool.contamination",
                    ),
                ),
            ],
        ),
    ]
