from django.contrib.admin.apps import AdminConfig


class OperatorsAdminConfig(AdminConfig):
    default_site = "sched_portal.admin_site.OperatorsSite"
    verbose_name = "Log"
