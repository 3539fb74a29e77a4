"""Signing in, with a limit on guessing."""

import hashlib
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import LoginView
from django.core.cache import cache
from django.forms import TextInput
from django.http import HttpRequest, HttpResponse, HttpResponseBase

MAX_FAILURES = 10
WINDOW_SECONDS = 300


class SignInRequiredMiddleware(LoginRequiredMiddleware):
    """Everything needs a signed-in user, but for views marked `login_not_required`."""

    # our views are no coroutines: where the innermost part is none either, Django runs the whole stack in one thread,
    # instead of changing threads twice for each part, which doubles the time of a small page (1.4 ms, else 0.7)
    async_capable = False

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Any
    ) -> HttpResponseBase:
        if request.headers.get("HX-Request") == "true":
            # a fragment must not become the sign-in page: the whole page asks again, and is sent there
            return HttpResponse(headers={"HX-Refresh": "true"})
        return super().handle_no_permission(request, view_func)


class SignInForm(AuthenticationForm):
    username = UsernameField(label="Name", widget=TextInput(attrs={"autofocus": True}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)


class SignInView(LoginView):
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        key = _key(request)
        # counted before the password is looked at, so that guesses sent at once are all counted
        cache.add(key, 0, WINDOW_SECONDS)
        try:
            attempts = cache.incr(key)
        except ValueError:  # the window ended between the two lines
            attempts = 1
        if attempts > MAX_FAILURES:
            form = SignInForm(request, initial={"username": request.POST.get("username", "")})
            context = self.get_context_data(
                form=form, throttled_minutes=WINDOW_SECONDS // 60, max_failures=MAX_FAILURES
            )
            return self.render_to_response(context, status=429, headers={"Retry-After": str(WINDOW_SECONDS)})
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        cache.delete(_key(self.request))
        return super().form_valid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"has_users": get_user_model().objects.exists()}


def _key(request: HttpRequest) -> str:
    """Of name and address together: guessing elsewhere locks nobody out, and names differ in case alone."""
    who = f"{request.POST.get('username', '').strip().casefold()}\n{request.META.get('REMOTE_ADDR', '')}"
    return f"sign-in:{hashlib.sha256(who.encode(errors='replace')).hexdigest()}"
