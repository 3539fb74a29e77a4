"""Five roles, each with the rights of those before it."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse

from s1web.roles import Role, has_role, role_of, role_required, set_role
from tests.s1web.web.conftest import MakeUser

ORDER = ["viewer", "reviewer", "curator", "operator", "admin"]


def test_the_roles_are_groups_once_the_tables_are_made(db):
    assert set(Group.objects.values_list("name", flat=True)) == set(ORDER)


@pytest.mark.parametrize("own", ORDER)
def test_a_role_has_the_rights_of_those_before_it_and_no_others(make_user: MakeUser, own):
    user = make_user(own)
    assert [role for role in ORDER if has_role(user, role)] == ORDER[: ORDER.index(own) + 1]


def test_who_has_no_group_is_a_viewer(make_user: MakeUser):
    assert role_of(make_user(None)) is Role.VIEWER


def test_a_group_that_is_no_role_gives_none(make_user: MakeUser):
    user = make_user(None)
    user.groups.add(Group.objects.create(name="superheroes"))
    assert role_of(user) is Role.VIEWER


def test_of_several_roles_the_highest_counts(make_user: MakeUser):
    user = make_user("curator")
    user.groups.add(Group.objects.get(name="reviewer"))
    assert role_of(user) is Role.CURATOR


def test_a_superuser_is_an_admin(db):
    assert role_of(User.objects.create_superuser("root", password="x")) is Role.ADMIN


def test_who_is_not_signed_in_or_inactive_has_no_role(make_user: MakeUser):
    user = make_user("admin")
    user.is_active = False
    for nobody in (AnonymousUser(), user):
        assert role_of(nobody) is None
        assert not has_role(nobody, Role.VIEWER)


def test_a_new_role_replaces_the_one_before_and_leaves_other_groups(make_user: MakeUser):
    user = make_user("admin")
    assert role_of(user) is Role.ADMIN
    user.groups.add(Group.objects.create(name="superheroes"))
    set_role(user, "viewer")
    assert role_of(user) is Role.VIEWER
    assert set(user.groups.values_list("name", flat=True)) == {"viewer", "superheroes"}


def test_a_role_is_read_once_however_often_it_is_asked_for(make_user: MakeUser, django_assert_num_queries):
    user = User.objects.get(pk=make_user("curator").pk)
    with django_assert_num_queries(1):
        for role in Role:
            has_role(user, role)


@pytest.mark.parametrize(("own", "is_let_in"), [("curator", False), ("operator", True), ("admin", True)])
def test_a_view_for_operators_lets_them_and_admins_in(make_user: MakeUser, rf, own, is_let_in):
    view = role_required(Role.OPERATOR)(lambda request: HttpResponse("in"))
    request = rf.get("/")
    request.user = make_user(own)
    if is_let_in:
        assert view(request).content == b"in"
    else:
        line = "^This needs the role operator or one above it; yours is curator. Ask an admin for it.$"
        with pytest.raises(PermissionDenied, match=line):
            view(request)


def test_a_role_that_does_not_exist_is_refused_where_the_view_is_written():
    with pytest.raises(ValueError, match="king"):
        role_required("king")
