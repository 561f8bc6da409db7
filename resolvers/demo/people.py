"""Invented people and telephone numbers."""

from random import Random

from resolvers.demo.draws import pick

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜叶程苏魏"
    "吕丁任沈姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷"
)
GIVEN_FIRST = "建国文志晓海明永春雅丽云思子宇佳欣嘉一泽天梓浩俊慧秀玉美爱红小金立庆德继光新学成世荣家"
GIVEN_SECOND = "伟芳娜敏静强磊军洋勇艳杰涛超平刚华辉英玲桂萍飞波斌宁峰凯健琳雪梅霞兰"

# The prefix 154 has no operator in the Chinese numbering plan, so nobody has such a number.
PHONE_PREFIX = "154"


def name(rng: Random) -> str:
    second = pick(rng, GIVEN_SECOND)
    return pick(rng, SURNAMES) + (pick(rng, GIVEN_FIRST) + second if rng.random() < 0.7 else second)


def phone(rng: Random) -> str:
    """Eleven digits, like a mobile number."""
    return f"{PHONE_PREFIX}{int(rng.random() * 100_000_000):08d}"
