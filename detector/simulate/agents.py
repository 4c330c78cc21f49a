"""User agents as real clients send them.

``{command}`` is replaced for each call.
"""

_BOTO3 = (
    "Boto3/{v} md/Botocore#{v} ua/2.1 os/{os} lang/python#{python} md/pyimpl#CPython m/Z,b,e,D "
    "cfg/retry-mode#standard Botocore/{v}"
)

BOTO3_SERVER = _BOTO3.format(
    v="1.40.21", os="linux#6.1.148-173.267.amzn2023.x86_64 md/arch#x86_64", python="3.12.9"
)
BOTO3_LAPTOP = _BOTO3.format(v="1.38.3", os="macos#24.5.0 md/arch#arm64", python="3.13.3")
PROWLER = (
    _BOTO3.format(
        v="1.39.15", os="linux#6.1.148-173.267.amzn2023.x86_64 md/arch#x86_64", python="3.12.11"
    )
    + " APN_1826889"
)
KALI_CLI = (
    "aws-cli/2.17.32 md/awscrt#0.21.2 ua/2.0 os/linux#6.8.11-kali2-amd64 md/arch#x86_64 "
    "lang/python#3.11.9 "
    "md/pyimpl#CPython cfg/retry-mode#standard md/prompt#off md/command#{command}"
)
LINUX_CLI = (
    "aws-cli/2.27.41 md/awscrt#0.26.1 ua/2.1 os/linux#6.14.0-24-generic md/arch#x86_64 "
    "lang/python#3.13.4 "
    "md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#{command}"
)
PACU = "aws-cli/1.16.219 Python/3.7.0 Windows/10 botocore/1.12.209 Botocore/1.38.46"
"""Pacu on a penetration testing distribution: a fake agent, to which the real botocore still
appends its own version."""

TERRAFORM = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) "
    "terraform-provider-aws/5.81.0 "
    "aws-sdk-go-v2/1.32.6 ua/2.1 os/linux lang/go#1.23.3 md/GOOS#linux md/GOARCH#amd64"
)
SSM_AGENT = "aws-sdk-go/1.55.5 (go1.22.4; linux; amd64) amazon-ssm-agent/3.3.2299.0"
JAVA = (
    "aws-sdk-java/2.31.50 md/io#async md/http#NettyNio ua/2.1 "
    "os/Linux#6.1.148-173.267.amzn2023.x86_64 "
    "lang/java#21.0.7 md/OpenJDK_64-Bit_Server_VM md/vendor#Amazon.com_Inc. m/D,E"
)
GITHUB_ACTION = (
    "aws-sdk-js/3.716.0 ua/2.1 os/linux#6.8.0-1021-azure lang/js md/nodejs#20.18.1 "
    "configure-aws-credentials-for-github-actions"
)
BROWSER = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0"
EC2_CONSOLE = (
    "EC2ConsoleFrontend, aws-internal/3 aws-sdk-java/1.12.788 "
    "Linux/5.10.237-210.988.amzn2int.x86_64 OpenJDK_64-Bit_Server_VM/25.452-b09 java/1.8.0_452"
)
MONITORING = "monitoring-integration/7.61 Botocore/1.38.3"
