"""The DDL of a table over a trail, with partition projection.

Columns, SerDe and input format are those of the Athena User Guide, "Create a table for CloudTrail
logs in Athena using partition projection", plus "CloudTrail record contents" for newer fields.
Fields without a column are not unloaded.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from detector.backfill.athena.sql import check_name
from detector.backfill.selection import RecordSelection
from detector.backfill.spans import Span
from detector.backfill.trail_location import TrailLocation

_SESSION_CONTEXT = (
    "struct<attributes:struct<mfaauthenticated:string,creationdate:string>,"
    "sessionissuer:struct<type:string,principalid:string,arn:string,accountid:string,"
    "username:string>,ec2roledelivery:string,"
    "webidfederationdata:struct<federatedprovider:string,attributes:map<string,string>>,"
    "sourceidentity:string>"
)
_USER_IDENTITY = (
    "struct<type:string,principalid:string,arn:string,accountid:string,invokedby:string,"
    f"accesskeyid:string,username:string,identityprovider:string,sessioncontext:{_SESSION_CONTEXT},"
    "onbehalfof:struct<userid:string,identitystorearn:string>,credentialid:string,"
    "inscopeof:struct<sourcearn:string,sourceaccount:string,issuertype:string,credentialsissuedto:string>>"
)
COLUMNS = {
    "eventversion": "string",
    "useridentity": _USER_IDENTITY,
    "eventtime": "string",
    "eventsource": "string",
    "eventname": "string",
    "awsregion": "string",
    "sourceipaddress": "string",
    "useragent": "string",
    "errorcode": "string",
    "errormessage": "string",
    "requestparameters": "string",
    "responseelements": "string",
    "additionaleventdata": "string",
    "requestid": "string",
    "eventid": "string",
    "readonly": "string",
    "resources": "array<struct<arn:string,accountid:string,type:string>>",
    "eventtype": "string",
    "apiversion": "string",
    "managementevent": "string",
    "recipientaccountid": "string",
    "serviceeventdetails": "string",
    "sharedeventid": "string",
    "vpcendpointid": "string",
    "vpcendpointaccountid": "string",
    "eventcategory": "string",
    "addendum": "struct<reason:string,updatedfields:string,originalrequestid:string,"
    "originaleventid:string>",
    "sessioncredentialfromconsole": "string",
    "tlsdetails": "struct<tlsversion:string,ciphersuite:string,clientprovidedhostheader:string>",
}
"""The columns by name, in the record's order, with their types."""


@dataclass(frozen=True)
class TrailTable:
    """A table of a trail's records, partitioned by account, region and day."""

    database: str
    location: TrailLocation
    selection: RecordSelection
    span: Span

    @property
    def name(self) -> str:
        """A name that is unique to the trail, accounts, regions and days."""
        facts = (
            self.location.url,
            *self.selection.accounts,
            *self.selection.regions,
            *self._days,
        )
        return "trailhound_" + hashlib.sha256("\0".join(facts).encode()).hexdigest()[:12]

    @property
    def _days(self) -> tuple[str, str]:
        return self.span.delivery_days

    def create_database(self) -> str:
        """Return the statement that creates the database."""
        return f"CREATE DATABASE IF NOT EXISTS `{check_name(self.database, 'database')}`"

    def create(self) -> str:
        """Return the statement that creates the table; it reads and moves no data."""
        columns = ",\n".join(f"  `{name}` {type}" for name, type in COLUMNS.items())
        first, last = self._days
        layout = f"{self.location.url}${{account}}/CloudTrail/${{region}}/${{day}}"
        properties = {
            "projection.enabled": "true",
            "projection.account.type": "enum",
            "projection.account.values": ",".join(self.selection.accounts),
            "projection.region.type": "enum",
            "projection.region.values": ",".join(self.selection.regions),
            "projection.day.type": "date",
            "projection.day.format": "yyyy/MM/dd",
            "projection.day.range": f"{first},{last}",
            "projection.day.interval": "1",
            "projection.day.interval.unit": "DAYS",
            "storage.location.template": layout,
        }
        listed = ",\n".join(f"  '{name}' = '{value}'" for name, value in properties.items())
        return (
            f"CREATE EXTERNAL TABLE IF NOT EXISTS `{self.database}`.`{self.name}` (\n{columns}\n)\n"
            "PARTITIONED BY (`account` string, `region` string, `day` string)\n"
            "ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'\n"
            "STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'\n"
            "OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'\n"
            f"LOCATION '{self.location.url}'\n"
            f"TBLPROPERTIES (\n{listed}\n)"
        )

    def drop(self) -> str:
        """Return the statement that drops the table; the trail's files stay."""
        return f"DROP TABLE IF EXISTS `{self.database}`.`{self.name}`"
