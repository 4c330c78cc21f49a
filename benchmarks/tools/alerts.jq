# The reference rule for jq: trail files or lines on standard input, a line for each principal and window that meets it.
[ inputs
  | if has("Records") then .Records[] else . end
  | select(.eventName == "DescribeInstances" and .eventSource == "ec2.amazonaws.com")
  | { start: (.eventTime | fromdateiso8601 / 30 | floor), arn: .userIdentity.arn, region: .awsRegion } ]
| group_by([.start, .arn])[]
| { start: .[0].start, arn: .[0].arn, regions: (map(.region) | unique | length) }
| select(.regions >= 10)
| "\(.start * 30) \(.arn) \(.regions)"
