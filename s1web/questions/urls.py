"""Addresses of questions; a hash may be cut short as long as one question has it."""

from django.urls import URLPattern, path, register_converter

from s1web.questions import views


class HashConverter:
    """The hash of a question, or its beginning."""

    regex = "[0-9a-fA-F]{4,16}"

    def to_python(self, value: str) -> str:
        return value.lower()

    def to_url(self, value: str) -> str:
        return value


register_converter(HashConverter, "question_hash")
_ONE = "questions/<question_hash:question_hash>/"

app_name = "questions"
urlpatterns: list[URLPattern] = [
    path(_ONE, views.detail, name="detail"),
    path(f"{_ONE}near/", views.near, name="near"),
    path(f"{_ONE}traces/<int:pk>/", views.trace, name="trace"),
    path(f"{_ONE}text/<slug:name>/", views.text, name="text"),
    path(f"{_ONE}text/<slug:name>/<int:pk>/", views.text, name="text-of"),
    path(f"{_ONE}overrule/", views.overrule, name="overrule"),
    path(f"{_ONE}reinstate/", views.reinstate, name="reinstate"),
]
