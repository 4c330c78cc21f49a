"""The principals: the list, and the page of one."""
