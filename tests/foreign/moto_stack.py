"""Runs moto, an AWS that somebody else wrote, and makes caseroom's stack in it.

  moto_stack.py TEMPLATE NAME=VALUE…

moto listens on a port of 127.0.0.1 until standard input ends. Once the stack is
there, one line of JSON says where and what it is: {"url", "account",
"functions": {logical id: environment}, "mappings": [{"function", "queue",
"batch", "partial"}], "queues": {name: url}, "schedules": [name], "alarms"}.
"""

import functools
import io
import json
import logging
import os
import re
import sys
import zipfile
from pathlib import Path

os.environ |= {
    "AWS_ACCESS_KEY_ID": "moto",
    "AWS_SECRET_ACCESS_KEY": "moto",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "MOTO_ACCOUNT_ID": "000000000000",
}

import boto3
from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import ResourceMap, clean_json
from moto.server import ThreadedMotoServer

from template import CODE, parse, translate

# What moto's CloudFormation cannot make. The nested stack's alarms and dashboards
# and the schedules are made by their own APIs, whose shapes boto3 checks.
ABSENT = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudFormation::Stack",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::S3::BucketPolicy",
    "AWS::Scheduler::Schedule",
}


def mentioned(node):
    """The names that a part of a template refers to."""
    if isinstance(node, list):
        return set().union(*map(mentioned, node))
    if not isinstance(node, dict):
        return set()
    names = set().union(*map(mentioned, node.values()))
    got, sub = node.get("Fn::GetAtt"), node.get("Fn::Sub")
    names |= {node.get("Ref"), got[0] if isinstance(got, list) else None} - {None}
    text = sub[0] if isinstance(sub, list) else sub
    return names | set(re.findall(r"\$\{([A-Za-z0-9]+)", text or ""))


def without(template, types):
    """The template without resources of some types and what refers to them."""
    resources = template["Resources"]
    absent = {n for n, r in resources.items() if r["Type"] in types}
    absent |= {n for n, r in resources.items() if mentioned(r) & absent}
    return template | {
        "Resources": {n: r for n, r in resources.items() if n not in absent},
        "Outputs": {n: o for n, o in template["Outputs"].items() if not mentioned(o) & absent},
    }


def deploy(folder, template, parameters, endpoint):
    aws = functools.cache(lambda service: boto3.client(service, endpoint_url=endpoint))
    region = os.environ["AWS_DEFAULT_REGION"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as z:
        z.writestr("bootstrap", "")
    aws("s3").create_bucket(Bucket=CODE["Bucket"], CreateBucketConfiguration={"LocationConstraint": region})
    aws("s3").put_object(Bucket=CODE["Bucket"], Key=CODE["Key"], Body=code.getvalue())
    stack = aws("cloudformation").create_stack(
        StackName="caseroom",
        TemplateBody=json.dumps(without(template, ABSENT)),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_IAM"],
    )["StackId"]
    made = {}
    for page in aws("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack):
        made |= {r["LogicalResourceId"]: r for r in page["StackResourceSummaries"]}
    account = os.environ["MOTO_ACCOUNT_ID"]
    known = cloudformation_backends[account][region].stacks[stack].resource_map
    one_by_one(template, aws, known)
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::CloudFormation::Stack":
            nested = parse(folder / resource["Properties"]["TemplateURL"])
            values = clean_json(resource["Properties"]["Parameters"], known)
            inner = ResourceMap(name, name, values, {}, region, account, nested, {})
            inner.load()
            one_by_one(nested, aws, inner)
    functions, mappings = {}, []
    for name, r in made.items():
        if r["ResourceType"] != "AWS::Lambda::Function":
            continue
        function = r["PhysicalResourceId"]
        functions[name] = aws("lambda").get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        for m in aws("lambda").list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
            partial = m.get("FunctionResponseTypes") == ["ReportBatchItemFailures"]
            mappings.append({"function": name, "queue": m["EventSourceArn"], "batch": m["BatchSize"], "partial": partial})
            # moto would run the function itself, in Docker, and take its messages.
            aws("lambda").delete_event_source_mapping(UUID=m["UUID"])
    return {
        "functions": functions,
        "mappings": mappings,
        "queues": {u.rsplit("/", 1)[1]: u for u in aws("sqs").list_queues()["QueueUrls"]},
        "schedules": [s["Name"] for s in aws("scheduler").list_schedules()["Schedules"]],
        "alarms": len(aws("cloudwatch").describe_alarms(MaxRecords=100)["MetricAlarms"]),
    }


class Absent(str):
    """Stands for a resource that is not there: its name, whatever is asked."""

    def get_cfn_attribute(self, _):
        return self


def one_by_one(template, aws, known):
    """Makes by their own APIs what the stack lacks. known evaluates intrinsics."""
    for name, resource in template["Resources"].items():
        if resource["Type"] in ABSENT:
            known._parsed_resources[name] = Absent(name)
    for name, resource in template["Resources"].items():
        condition = resource.get("Condition")
        if condition and not known.lazy_condition_map[condition]:
            continue
        match resource["Type"]:
            case "AWS::CloudWatch::Alarm":
                create, key = aws("cloudwatch").put_metric_alarm, "AlarmName"
            case "AWS::CloudWatch::Dashboard":
                create, key = aws("cloudwatch").put_dashboard, "DashboardName"
            case "AWS::Scheduler::Schedule":
                create, key = aws("scheduler").create_schedule, "Name"
            case _:
                continue
        create(**{key: name} | {k: v for k, v in clean_json(resource["Properties"], known).items() if v is not None})


def main():
    template_file, *values = sys.argv[1:]
    parameters = dict(v.split("=", 1) for v in values)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    stack = deploy(Path(template_file).parent, translate(template_file, parameters), parameters, endpoint)
    print(json.dumps({"url": endpoint} | stack), flush=True)
    sys.stdin.read()
    server.stop()


main()
