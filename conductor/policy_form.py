"""The form of a policy: filters to tick, multipliers, numbers, and why."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.admin import widgets

from conductor.policies import REASON, StoredPolicy
from conductor.policy_body import FRACTIONS, NUMBERS
from providers.admin_fields import MultipliersField, choices, printable
from scheduler.filters import ALWAYS, FILTERS
from scheduler.weighers import BY_NAME

BASED_ON = "based_on"  # the hidden field with the version that the form was opened on


def reason_field() -> forms.CharField:
    return forms.CharField(
        label="Reason",
        max_length=REASON,
        validators=[printable],
        widget=widgets.AdminTextInputWidget,
        help_text="Stands in the history.",
    )


class ReasonForm(forms.Form):
    reason = reason_field()


class PolicyForm(forms.Form):
    """A new version, based on `shown`. `cleaned_data` has its `body`, and the `user` who sends it."""

    filters = forms.MultipleChoiceField(
        choices=choices([one.name for one in FILTERS if one.name not in ALWAYS]),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=f"{', '.join(ALWAYS)} always run.",
    )
    weighers = MultipliersField(
        required=False,
        help_text="weigher: multiplier, one a line; below zero turns it round. "
        f"There are {', '.join(BY_NAME)}, and free_amount with a column (free_amount.vcpus).",
    )
    user = ""

    def __init__(self, data: Mapping[str, Any] | None, shown: StoredPolicy) -> None:
        self._filters = list(shown.body["filters"])
        chosen = [name for name in self._filters if name not in ALWAYS]
        super().__init__(data, initial={**shown.body, "filters": chosen, BASED_ON: shown.version})
        for name, limits in NUMBERS.items():
            kind = forms.FloatField if name in FRACTIONS else forms.IntegerField
            # Its least and most are the domain's to say.
            self.fields[name] = kind(label=name.replace("_", " ").capitalize(), help_text=f"{limits.says}.")
        self.fields["as_shadow"] = forms.BooleanField(
            label="Only run it beside, as the shadow",
            required=False,
            help_text="It decides nothing; where it would have chosen other hosts is listed.",
        )
        self.fields["reason"] = reason_field()
        self.fields[BASED_ON] = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        chosen = cleaned.get("filters", [])
        kept = [name for name in self._filters if name in chosen or name in ALWAYS]
        body = {name: cleaned[name] for name in ("weighers", *NUMBERS) if name in cleaned}
        body["filters"] = [*kept, *(name for name in chosen if name not in kept)]
        return {**cleaned, "user": self.user, "body": body}
