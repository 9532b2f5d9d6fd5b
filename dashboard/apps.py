from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from conductor import duties
        from dashboard.recorder import KeepFigures
        from dashboard.sessions import begin

        user_logged_in.connect(begin, dispatch_uid="session-begins")  # both doors, and whatever else logs in
        duties.add(KeepFigures, 1.0)
