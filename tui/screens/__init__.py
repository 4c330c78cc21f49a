"""The screens, a file each.

``base`` holds what they share, ``forms`` the forms that open over them.
"""
